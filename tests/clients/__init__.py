"""What our clients share with the product, as far as it can be told without building them."""
