"""The data to train on: folders of pictures, the haze that is made on them, and batches."""
