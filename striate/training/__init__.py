"""Training a network: from the arguments of `fit` to trained weights, and how good they are.

targets          the user's X and y as checked arrays
sample_weights   sample weights and class weights
split            training and validation images, drawn class by class
statistics       mean and standard deviation of each channel
whitening        filters that make image patches uncorrelated
dead_channels    identity filters that would copy a constant channel
prepare          all of these, from the arguments of `fit`
random_streams   seeds for the order of images, augmentation, dropout and the split
loading          the images of a batch, augmented
prefetch         preparing batches in a background thread
batches          the mini-batches of all epochs
history          the figures of each epoch
curves           them, drawn
epoch_metrics    loss, accuracy and speed of the current epoch
stopping         early stopping
progress         showing how far training is
fingerprint      what the bits of a training depend on
checkpoint       what it needs to go on, in a file
training_run     its state between two steps, and its stops
loop             `fit`, the training loop
learning_rate_finder   `find_learning_rate`, a range test
grouped_step     the groups of a batch, by one rank or many, added up
gradient_parts   how a gradient is cut for that
overlap_trial    whether ranks exchange them during the backward pass
step_gradients   loss and gradients of one batch, for loops of one's own
evaluation       accuracy, loss, precision, recall and the confusion matrix
recipes          a network and training settings that suit the data
"""
