-- The web shop. The role below is what the client's credential store holds; it reads this database and may
-- connect to the others, where it sees the catalog and no row.
CREATE ROLE inventory_reader LOGIN PASSWORD 'tide-table-8120';
CREATE ROLE shop_owner NOLOGIN;

CREATE TABLE customers (
    id integer PRIMARY KEY,
    full_name text NOT NULL,
    email text NOT NULL UNIQUE,
    phone text,
    birth_date date,
    created_at timestamptz NOT NULL
);
CREATE TABLE products (
    sku text PRIMARY KEY,
    name text NOT NULL,
    category text NOT NULL,
    price_gbp numeric(8, 2) NOT NULL,
    weight_g integer
);
CREATE TABLE orders (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    placed_at timestamptz NOT NULL,
    status text NOT NULL,
    total_gbp numeric(10, 2) NOT NULL
);
CREATE TABLE order_lines (
    order_id integer NOT NULL REFERENCES orders,
    line_no smallint NOT NULL,
    sku text NOT NULL REFERENCES products,
    quantity smallint NOT NULL,
    PRIMARY KEY (order_id, line_no)
);
CREATE TABLE payment_cards (
    customer_id integer PRIMARY KEY REFERENCES customers,
    card_number text NOT NULL,
    expires text NOT NULL
);

INSERT INTO products VALUES
    ('SKERRY-1', 'Skerry 1', 'tent', 289, 1100), ('SKERRY-2', 'Skerry 2', 'tent', 349, 1600),
    ('FELLHOUSE', 'Fell House', 'tent', 549, 4200), ('KITTIWAKE', 'Kittiwake', 'stove', 45, 94),
    ('BOTHY', 'Bothy', 'stove', 62, 210), ('HAULER-60', 'Hauler 60', 'pack', 189, 1950);
INSERT INTO customers
    SELECT n,
           (ARRAY['Ines', 'Tom', 'Agnes', 'Yusuf', 'Maren', 'Piotr', 'Lena', 'Owen'])[1 + n % 8] || ' '
               || (ARRAY['Okafor', 'Brandvold', 'Whitlow', 'Demir', 'Sand', 'Zielinski', 'Marsh'])[1 + n % 7],
           'customer' || n || '@mail.example',
           '+44 20 7946 ' || lpad((n % 1000)::text, 4, '0'),
           date '1960-01-01' + (n * 37 % 15000),
           timestamptz '2024-03-01 08:00Z' + n * interval '7 hours'
    FROM generate_series(1000, 1499) AS n;
INSERT INTO orders
    SELECT n, 1000 + n * 17 % 500, timestamptz '2025-01-02 09:00Z' + n * interval '3 hours',
           (ARRAY['placed', 'paid', 'sent', 'sent', 'sent', 'returned'])[1 + n % 6], 45 + n * 13 % 900
    FROM generate_series(1, 2000) AS n;
INSERT INTO order_lines
    SELECT o.id, line,
           (ARRAY['SKERRY-1', 'SKERRY-2', 'FELLHOUSE', 'KITTIWAKE', 'BOTHY', 'HAULER-60'])[1 + (o.id + line) % 6],
           1 + o.id % 3
    FROM orders AS o, generate_series(1, 2) AS line;
INSERT INTO payment_cards
    SELECT id, '4000 0000 0000 ' || lpad((id % 10000)::text, 4, '0'), '11/29' FROM customers WHERE id % 5 = 0;

CREATE SCHEMA sales;
CREATE TABLE sales.campaigns (
    id integer PRIMARY KEY,
    name text NOT NULL,
    starts_on date NOT NULL,
    ends_on date,
    budget_gbp numeric(10, 2)
);
CREATE TABLE sales.vouchers (
    code text PRIMARY KEY,
    campaign_id integer NOT NULL REFERENCES sales.campaigns,
    percent_off smallint NOT NULL,
    used_by integer REFERENCES customers
);
INSERT INTO sales.campaigns VALUES
    (1, 'Spring rain', '2026-03-01', '2026-04-15', 4000), (2, 'Autumn light', '2026-09-10', NULL, 6500);
INSERT INTO sales.vouchers
    SELECT 'RAIN-' || lpad(n::text, 4, '0'), 1 + n % 2, 10, CASE WHEN n % 3 = 0 THEN 1000 + n END
    FROM generate_series(1, 200) AS n;
CREATE VIEW sales.monthly_revenue AS
    SELECT date_trunc('month', placed_at)::date AS month, count(*) AS orders, sum(total_gbp) AS revenue_gbp
    FROM orders WHERE status <> 'returned' GROUP BY 1;

GRANT USAGE ON SCHEMA public, sales TO inventory_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public, sales TO inventory_reader;
ALTER TABLE payment_cards OWNER TO shop_owner;
REVOKE ALL ON payment_cards FROM inventory_reader;
