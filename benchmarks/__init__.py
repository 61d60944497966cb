"""Speed and memory, side by side with what somebody would use instead; see docs/benchmarks.md."""
