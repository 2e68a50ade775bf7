"""The Station's heart, without IO and without a clock: what is observed and what pages ask goes in, frames come out."""
