# Stands in for the archive's build system while scripts/fetch_jinja.sh downloads it.
