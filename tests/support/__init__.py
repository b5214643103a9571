"""What tests share: clips, small models, oracles, started programs, clusters of their own."""
