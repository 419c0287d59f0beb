// The fleet desk: a public front page, everything else behind a login.
'use strict';

const { randomBytes, timingSafeEqual, createHash } = require('node:crypto');
const express = require('express');

const PORT = 3000;
// Nobody knows it: the desk is there to be found, not to be used.
const PASSWORD = digest(randomBytes(16));

const app = express();
app.use((request, _response, next) => {
    const from = request.socket.remoteAddress.replace('::ffff:', '');
    if (from !== '127.0.0.1') console.log(`${from} ${request.method} ${JSON.stringify(request.url)}`);
    next();
});
app.use(express.urlencoded({ extended: false, limit: '4kb' }));

app.get('/', (_request, response) => response.send(page('Fleet desk', `
<p>Vans and lorries of Pineharbour.</p>
<p><a href="/vehicles">Vehicles</a> <a href="/login">Sign in</a></p>`)));
app.get('/robots.txt', (_request, response) => response.type('text').send(
    'User-agent: *\nDisallow: /vehicles\nDisallow: /drivers\n'));
app.get('/index', (_request, response) => response.redirect(301, '/'));
app.get(['/vehicles', '/drivers'], (_request, response) => response.redirect(302, '/login'));
app.get('/login', (_request, response) => response.send(page('Sign in - Fleet desk', `
<form method="post" action="/login">
<label>Name <input name="username" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Sign in</button>
</form>`)));
app.post('/login', (request, response) => {
    if (timingSafeEqual(digest(String(request.body.password)), PASSWORD)) return response.redirect(303, '/');
    console.log(`login failed ${request.socket.remoteAddress.replace('::ffff:', '')}`);
    return response.status(403).send(page('Sign in - Fleet desk', '<p>That is not right.</p>'));
});
app.use((_request, response) => response.status(404).send(page('Not found - Fleet desk', '')));
app.use((error, _request, response, _next) => {
    console.error(`error: ${JSON.stringify(String(error))}`);
    response.status(error.status || 500).send(page('Error - Fleet desk', ''));
});

function digest(value) {
    return createHash('sha256').update(value).digest();
}

function page(title, body) {
    return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title></head>
<body><h1>Fleet desk</h1>${body}</body>
</html>
`;
}

const server = app.listen(PORT, '0.0.0.0');
server.requestTimeout = 10_000;
process.on('SIGTERM', () => process.exit(0));
