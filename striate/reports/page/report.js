// The page of a report: what its scripts show, and what they hand out.

import { explainGradient, movedBy } from "./chain_rule.js";
import { explain, explanations } from "./explain.js";
import { showFilters } from "./filters.js";
import { gradientsOf, lossOf } from "./gradients.js";
import { showInside } from "./inside.js";
import { readings } from "./readings.js";
import { patchOf, report, valuesOf } from "./values.js";
import { explainWeight, outputsOf } from "./weight_gradients.js";

// For the browser's console.
globalThis.striateReport = {
  report, valuesOf, explain, patchOf, explained: Object.keys(explanations),
  gradientsOf, lossOf, explainGradient, explainWeight, movedBy, withDerivative: Object.keys(readings), withWeightGradient: Object.keys(outputsOf),
};

const { pick } = showInside(document.getElementById("inside-view"));
showFilters(document.getElementById("filters-view"), pick);
