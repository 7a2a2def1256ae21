const words: string[] = process.argv.slice(2);
console.log('task done', ...words);
