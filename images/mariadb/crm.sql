-- Customers and what they wrote. Its structure may be discovered; no row of it can be read with that login.
CREATE TABLE contacts (
    id int PRIMARY KEY,
    full_name varchar(80) NOT NULL,
    email varchar(120) NOT NULL UNIQUE,
    date_of_birth date,
    postcode varchar(12)
);
CREATE TABLE tickets (
    id int PRIMARY KEY,
    contact_id int NOT NULL,
    opened_at datetime NOT NULL,
    subject varchar(120) NOT NULL,
    body text NOT NULL,
    FOREIGN KEY (contact_id) REFERENCES contacts (id)
);
CREATE TABLE newsletter (
    email varchar(120) PRIMARY KEY,
    subscribed_on date NOT NULL
);
INSERT INTO contacts
    SELECT seq,
           CONCAT(ELT(1 + seq MOD 8, 'Ines', 'Tom', 'Agnes', 'Yusuf', 'Maren', 'Piotr', 'Lena', 'Owen'), ' ',
                  ELT(1 + seq MOD 7, 'Okafor', 'Brandvold', 'Whitlow', 'Demir', 'Sand', 'Zielinski', 'Marsh')),
           CONCAT('customer', seq, '@mail.example'), DATE '1960-01-01' + INTERVAL seq * 37 MOD 15000 DAY,
           CONCAT('AM', 1 + seq MOD 20, ' ', 1 + seq MOD 9, 'QX')
    FROM seq_1000_to_1299;
INSERT INTO tickets
    SELECT seq, 1000 + seq * 17 MOD 300, TIMESTAMP '2025-06-01 09:00:00' + INTERVAL seq * 5 HOUR,
           ELT(1 + seq MOD 3, 'Where is my order?', 'Return of a tent', 'Stove does not light'),
           IF(seq = 77, 'My card is CANARY-mariadb-ticket-0b94fd', 'Please call me back.')
    FROM seq_1_to_250;
INSERT INTO newsletter SELECT email, DATE '2025-09-01' + INTERVAL id MOD 90 DAY FROM contacts WHERE id MOD 3 = 0;
