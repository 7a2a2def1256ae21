console.log('task done', ...process.argv.slice(2));
