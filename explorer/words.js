"use strict";

// What the page says of tasks and cells.

const Words = (() => {
  // Of a net of 1997: how it departs from the paper's text, if it does
  const reading = (net) => (net.changes.length ? "with some changes" : "word for word");

  // Of the tasks: name, what the net has to do, how to change the sequence, views to begin with
  // (words and what they change in the address), and names of nets that are not those of the records.
  const TASKS = {
    adding: {
      title: "Adding",
      question: (net) =>
        `${net.own.T} numbers come in, one at a time. Two of them are marked. What is their sum?`,
      help: "Drag an orange dot up or down to change a marked number, its triangle to move the mark.",
      try: [
        ["The LSTM before training", { net: "lstm", stage: 0 }],
        ["The LSTM with no weights between its units", { net: "lstm", between: "cut" }],
        ["The tanh RNN, trained just as long", { net: "rnn" }],
        ["The GRU, trained just as long", { net: "gru" }],
      ],
      nets: { lstm: "LSTM", rnn: "tanh RNN", lstm1997: "LSTM of 1997", irnn: "IRNN", gru: "GRU" },
    },
    threeBits: {
      title: "Three bits",
      question: (net) =>
        `Three bits, then ${net.own.T - 4} steps of noise. At the question mark: which bits were they?`,
      help: "Click a bit to turn it over.",
      try: [
        ["The orthogonal start before training", { net: "orthogonal-start", stage: 0 }],
        ["The small random start after training", { net: "small-random-start" }],
        ["The first four units cut", { net: "orthogonal-start", cut: "1,2,3,4" }],
      ],
      nets: {},
    },
    latch: {
      title: "One sign",
      question: (net) =>
        `The first number is near +1 or −1, then come ${net.own.T - 1} steps of noise. ` +
        "Can one single unit keep the sign?",
      help: "Drag the orange dot, or any other number, up or down.",
      try: [
        ["The simple RNN: a state that is pulled to one of two ends", { net: "simple-rnn", from: null }],
        ["An LSTM that does not latch", { net: "lstm", from: 0 }],
        ["The chrono start before training", { net: "lstm-chrono-start", from: null, stage: 0 }],
      ],
      nets: {},
    },
    adding1997: {
      title: "Adding, 1997",
      question: (net) =>
        `The paper's net and algorithm, ${reading(net)}. Two numbers are marked. What is 0.5 + (their sum) / 4?`,
      help: "Drag an orange dot up or down to change a marked number, its triangle to move the mark.",
      try: [
        ["Before training: the gates do not know the marks", { stage: 0 }],
        ["Without the second and the fourth memory cell", { cut: "2,4" }],
        ["Without the third memory cell", { cut: 3 }],
        ["Without weights between hidden units", { between: "cut" }],
      ],
      nets: {},
    },
    order1997: {
      title: "Order, 1997",
      question: (net) =>
        `The paper's net and algorithm, ${reading(net)}. Two letters, X or Y, hide among others. ` +
        "Which, in which order?",
      help: "Drag an orange letter to another step; click it to change X into Y.",
      try: [
        ["Before training", { stage: 0 }],
        ["Without the first memory cell", { cut: 1 }],
        ["Without weights between hidden units", { between: "cut" }],
      ],
      nets: {},
    },
  };

  // Of what a cell computes at a step
  const MEANS = {
    x:
      "What the net reads at a step. It sees one step at a time and never looks back: all that it knows of " +
      "earlier ones is in its state.",
    c: "The cell state, the memory of an LSTM: at each step the old state times f, plus i times g.",
    i: "The input gate, between 0 and 1: how much of the candidate enters the cell state.",
    f: "The forget gate: how much of the old cell state stays. 1 keeps all of it.",
    o: "The output gate: how much of the cell state the rest of the net gets to see.",
    g: "The candidate: what would enter the state if the gate were open.",
    h:
      "The output of a unit: what the other units and the answer see of it; in a plain RNN and a GRU also " +
      "its only memory.",
    z: "The update gate: how much of the old state stays. 1 keeps all of it.",
    n: "The candidate: the new state that is offered.",
    r: "The reset gate: how much of what the units say to the candidate gets through to it.",
    s:
      "The state of a memory cell, its memory: at each step the input gate times the candidate is added; " +
      "nothing is forgotten.",
    y_in: "The input gates, one for each block of two cells, between 0 and 1: how much enters their states.",
    y_out:
      "The output gates, one for each block of two cells: how much of the states the rest of the net gets " +
      "to see.",
    y_c: "What the other units and the answer see of a cell.",
    y:
      "What the net would say if the sequence ended at this step. It was trained on its answer at the end " +
      "only.",
  };

  return { TASKS, MEANS };
})();
