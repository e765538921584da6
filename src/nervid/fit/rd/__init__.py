"""Rate-distortion fitting: numbers are fitted for what they cost as well as for what they draw."""
