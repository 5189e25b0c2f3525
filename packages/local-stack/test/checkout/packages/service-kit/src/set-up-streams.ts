// Stands for the set-up of streams: the services of this checkout use none.
