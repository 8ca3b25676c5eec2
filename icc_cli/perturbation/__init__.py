"""How far the weights can be moved before a network loses its training accuracy: the sharpness measures."""
