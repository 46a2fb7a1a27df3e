# Fixture: a template file.
echo "from file {{ ds }}"
