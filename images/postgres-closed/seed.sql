-- The books. The role is the one that the client's credential store names; the password is another.
CREATE DATABASE ledger;
\connect ledger
CREATE ROLE inventory_reader LOGIN PASSWORD 'sluice-gate-2206';
CREATE TABLE postings (
    id integer PRIMARY KEY,
    booked_on date NOT NULL,
    account text NOT NULL,
    amount_gbp numeric(12, 2) NOT NULL,
    note text NOT NULL
);
INSERT INTO postings
    SELECT n, date '2026-01-02' + n % 200, (ARRAY['1200', '3400', '4400'])[1 + n % 3], n * 17.35, 'CANARY-ledger-note-a81f40'
    FROM generate_series(1, 300) AS n;
