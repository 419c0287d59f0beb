"""Everything on one machine: sets it up for dry-runs, builds the images, runs the system, cleans up.

Arrows point down: main → runs, doctor, release → system → images, advisories → terminal → machine.
"""
