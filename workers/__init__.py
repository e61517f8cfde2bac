"""The background: the sequencer, deadlines, payments and deliveries, beside the loop of arq."""
