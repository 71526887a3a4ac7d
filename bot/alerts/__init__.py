"""What people own (alerts, armings, subscriptions, levels), what they are told, and how it is worded."""
