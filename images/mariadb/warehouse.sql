-- Stock and deliveries. The role of the client's credential store may read these rows.
CREATE TABLE suppliers (
    id int PRIMARY KEY,
    name varchar(80) NOT NULL,
    contact_email varchar(120) NOT NULL,
    phone varchar(40),
    vat_number varchar(20) NOT NULL
);
CREATE TABLE items (
    sku varchar(20) PRIMARY KEY,
    description varchar(120) NOT NULL,
    supplier_id int NOT NULL,
    weight_g int NOT NULL,
    FOREIGN KEY (supplier_id) REFERENCES suppliers (id)
);
CREATE TABLE shelves (
    id int PRIMARY KEY,
    aisle char(1) NOT NULL,
    position smallint NOT NULL,
    UNIQUE (aisle, position)
);
CREATE TABLE stock (
    sku varchar(20) NOT NULL,
    shelf_id int NOT NULL,
    quantity int NOT NULL,
    counted_on date NOT NULL,
    PRIMARY KEY (sku, shelf_id),
    FOREIGN KEY (sku) REFERENCES items (sku),
    FOREIGN KEY (shelf_id) REFERENCES shelves (id)
);
CREATE TABLE deliveries (
    id int PRIMARY KEY,
    supplier_id int NOT NULL,
    arrived_at datetime NOT NULL,
    driver_name varchar(80) NOT NULL,
    remark text,
    FOREIGN KEY (supplier_id) REFERENCES suppliers (id)
);
INSERT INTO suppliers VALUES
    (1, 'Northcloth Weavers', 'orders@northcloth.example', '+44 161 496 0017', 'GB000000117'),
    (2, 'Fjordlight Stoves', 'sales@fjordlight.example', '+47 555 01 442', 'NO000000442'),
    (3, 'Sorrel Buckles', 'hello@sorrel.example', NULL, 'GB000000903');
INSERT INTO items
    SELECT CONCAT('PART-', LPAD(seq, 4, '0')),
           CONCAT(ELT(1 + seq MOD 5, 'Ripstop panel', 'Pole section', 'Burner head', 'Buckle', 'Guy line'), ' no. ', seq),
           1 + seq MOD 3, 20 + seq * 37 MOD 900
    FROM seq_1_to_400;
INSERT INTO shelves SELECT seq, CHAR(65 + seq DIV 20), seq MOD 20 FROM seq_0_to_119;
INSERT INTO stock
    SELECT CONCAT('PART-', LPAD(seq, 4, '0')), seq * 7 MOD 120, seq * 13 MOD 250, DATE '2026-01-05' + INTERVAL seq MOD 40 DAY
    FROM seq_1_to_400;
INSERT INTO deliveries
    SELECT seq, 1 + seq MOD 3, TIMESTAMP '2025-03-03 07:30:00' + INTERVAL seq * 31 HOUR,
           ELT(1 + seq MOD 4, 'Kofi Mensah', 'Bria Holt', 'Stig Aune', 'Pavel Novak'),
           IF(seq = 60, 'CANARY-mariadb-remark-58e1c7', IF(seq MOD 9 = 0, 'pallet damaged', NULL))
    FROM seq_1_to_180;
CREATE VIEW low_stock AS SELECT sku, SUM(quantity) AS quantity FROM stock GROUP BY sku HAVING SUM(quantity) < 20;
