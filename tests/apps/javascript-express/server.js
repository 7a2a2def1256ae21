const express = require('express');

const app = express();
app.use(express.json());

app.get('/', (request, response) => {
  console.log(`hello to ${request.ip}`);
  response.send('Hello from Express on Virga\n');
});

app.get('/env', (request, response) => response.json(process.env));

app.post('/json', (request, response) => response.json({ received: request.body }));

app.get('/cookie', (request, response) => response.cookie('one', '1').cookie('two', '2').send('cookies'));

app.get('/fail', () => {
  throw new Error('this route always fails');
});

const port = process.env.PORT || 3000;
app.listen(port, () => console.log(`listening on ${port}`));
