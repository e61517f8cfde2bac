"""What the owner of an endpoint may ask and see: deliveries, redeliveries, replays, tests, and how all of it stands."""
