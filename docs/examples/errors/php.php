<?php

$requestId = null;
$request = curl_init('https://parley.example/api/v1/chatbots/CHATBOT_ID/chat');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Content-Type: application/json',
    ],
    CURLOPT_POSTFIELDS => json_encode(['message' => '']),
    CURLOPT_HEADERFUNCTION => function ($request, $line) use (&$requestId) {
        if (stripos($line, 'X-Request-Id:') === 0) {
            $requestId = trim(substr($line, strlen('X-Request-Id:')));
        }
        return strlen($line);
    },
]);
$body = json_decode(curl_exec($request), true);
if (!$body['success']) {
    echo $body['code'], ' ', $body['error'], "\n";
    echo $requestId, "\n";
}
