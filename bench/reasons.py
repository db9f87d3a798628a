"""Why each scaling curve bends: (the commit whose figures were read, the reason). Only what was measured; a bend
whose cause is not known says so. Read a curve's breakdown again after a change of the engine."""

REASONS = {}
