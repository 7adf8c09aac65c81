"""Tables, fits and figures. Nothing is imported here, so that matplotlib loads only when drawn."""
