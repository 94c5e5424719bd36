// Runs named checks one after the other, and ends the process with how they went.
export async function run(checks) {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log('ok  ', name);
    } catch (error) {
      ++failed;
      console.log('FAIL', name, error);
    }
  }
  console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
