"""How are the rows of a database read?  One module for each driver, each with a function `rows`.

    from streamware.sources import sqlalchemy

    sw.Export(sqlalchemy.rows(engine, select(Order.number, Customer.name).join(Customer)))

Each opens a connection of its own when the export begins, reads in batches through a cursor on the
server where the driver has one, and closes both on every path.  `source` has what they share;
`dbapi` is for the drivers that have no module.  `mysql` says how a query of MySQL ends early, and
`eager` what SQLAlchemy has to load for the chosen columns.
"""
