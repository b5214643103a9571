"""What is done to a frame: motion, paint, blend; recurrent models, stretches."""
