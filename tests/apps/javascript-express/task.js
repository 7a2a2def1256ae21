async function main() {
  await new Promise((resolve) => setTimeout(resolve, 10));
  console.log('task done', ...process.argv.slice(2));
}

main();
