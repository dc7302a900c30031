"""Networks for a few photographs, from networks that were trained on many.

pretrained     networks whose weights come in a package of their own
backbone       a network without its last layer: what it sees, as numbers
kept_features  these numbers of many images, computed once
linear_head    a dense layer on top of them; class_head, label_head, number_head
fine_tuning    its last stages, trained on
transferring   all of it, for transfer_targets: classes, labels or numbers
"""
