"""The installation itself: is everything there that the nightly needs."""
