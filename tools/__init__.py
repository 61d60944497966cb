"""What Holdfast calls outside itself: identifiers, scanners, converters, PID services."""
