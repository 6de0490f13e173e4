"""Why TensorRT chose what it chose: the tuner's record of one layer, put into sentences that stand on its lines."""
