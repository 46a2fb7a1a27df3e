"""Builds real tasks, groups and edges from a drawing: what dag.yaml says and what a dag.ts hands over."""
