"""Says a DAG that a dag.py drew in the words of a drawing, for `leoflow convert`."""
