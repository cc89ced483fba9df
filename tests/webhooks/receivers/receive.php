<?php
// Call the verification function of docs/reference/webhooks.md as a receiver would.
// {module, secret, headers, body} → {event} or {error}

$given = json_decode(stream_get_contents(STDIN), true);
require $given['module'];
try {
    $result = ['event' => verify($given['secret'], $given['headers'], $given['body'])];
} catch (RuntimeException $error) {
    $result = ['error' => $error->getMessage()];
}
echo json_encode($result);
