// Prints Altair's page, with the options that are given as JSON.
const { renderAltair } = require("altair-static");

process.stdout.write(renderAltair(JSON.parse(process.argv[2])));
