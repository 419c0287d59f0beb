-- Staff data: its structure may be discovered, no value of it may ever leave.
CREATE TABLE employees (
    id integer PRIMARY KEY,
    full_name text NOT NULL,
    job_title text NOT NULL,
    hired_on date NOT NULL,
    national_id text NOT NULL
);
CREATE TABLE salaries (
    employee_id integer NOT NULL REFERENCES employees,
    valid_from date NOT NULL,
    gross_gbp numeric(10, 2) NOT NULL,
    iban text NOT NULL,
    PRIMARY KEY (employee_id, valid_from)
);
CREATE TABLE absences (
    id integer PRIMARY KEY,
    employee_id integer NOT NULL REFERENCES employees,
    from_date date NOT NULL,
    until_date date NOT NULL,
    reason text NOT NULL
);
INSERT INTO employees VALUES
    (1, 'Greta Sand', 'Managing director', '2011-04-01', 'QQ123456A'),
    (2, 'Owen Marsh', 'Head of infrastructure', '2014-09-15', 'QQ223456B'),
    (3, 'Lena Zielinski', 'Warehouse lead', '2017-02-01', 'QQ323456C'),
    (4, 'Yusuf Demir', 'Web developer', '2021-06-14', 'QQ423456D'),
    (5, 'Agnes Whitlow', 'Bookkeeper', '2012-11-05', 'QQ523456A');
INSERT INTO salaries
    SELECT id, date '2026-01-01', 31000 + 4300 * (6 - id), 'GB00TEST' || lpad((id * 7919)::text, 14, '0') FROM employees;
INSERT INTO absences VALUES
    (1, 3, '2026-02-02', '2026-02-06', 'illness'), (2, 4, '2026-03-16', '2026-03-20', 'holiday');
