"""How relook's samples are made; ``make.py`` beside this folder is the way in."""
