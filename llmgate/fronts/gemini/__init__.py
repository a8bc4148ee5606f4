"""Google's generateContent API, served over chat."""
