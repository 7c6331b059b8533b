"""The objects the controller makes, as pure functions of the objects they are made for."""
