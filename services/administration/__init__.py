"""Administration (OAIS): people and what they decide: approval, holds, embargoes, deletion."""
