"""The demo model: views of simulated rooms, questions, training, a held-out report. Needs torch: the extra `train`."""
