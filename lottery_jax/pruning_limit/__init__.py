"""How far a trained network can be pruned: predicted from the curvature of its loss, and measured."""
