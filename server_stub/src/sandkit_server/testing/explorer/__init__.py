"""Every interleaving of the product's own steps, over the abstract cluster."""
