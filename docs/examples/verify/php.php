<?php

/** Returns the event. Throws unless Parley signed the request within the last 5 minutes. */
function verify(string $secret, array $headers, string $body): array
{
    $timestamp = $headers['webhook-timestamp'];
    if (abs(time() - (int) $timestamp) > 300) {
        throw new RuntimeException('The request is too old.');
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret));
    $content = "{$headers['webhook-id']}.{$timestamp}.{$body}";
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', $content, $key, true));
    foreach (explode(' ', $headers['webhook-signature']) as $signature) {
        if (hash_equals($expected, $signature)) {
            return json_decode($body, true);
        }
    }
    throw new RuntimeException('The signature is wrong.');
}
