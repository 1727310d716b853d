"""What the wings share.

The four wings (slices, labels, annotators, relabel) never import each other. What two of them need lies here:
votes in a compact form, the consensus they give, and the other kernels on plain arrays. Nothing here knows a
page or a command.
"""
