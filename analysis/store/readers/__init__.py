"""One file a format: from the user's file to a table in a scratch database."""
