"""Tries the suite on servers with a known defect: what it proves about others is worth what it finds here."""
