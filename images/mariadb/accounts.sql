-- What the client's credential store holds: it reads warehouse, and of crm the structure alone (REFERENCES).
CREATE USER inventory_reader IDENTIFIED BY 'ebb-chart-3307';
GRANT SELECT, SHOW VIEW ON warehouse.* TO inventory_reader;
GRANT REFERENCES ON crm.* TO inventory_reader;
-- What the warehouse's own program uses; no template's credential store knows it.
CREATE USER warehouse IDENTIFIED BY 'CANARY-mariadb-password-e3a20f';
GRANT ALL ON warehouse.* TO warehouse;
