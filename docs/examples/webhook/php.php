<?php

$request = curl_init('https://parley.example/api/v1/webhook-endpoints');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Content-Type: application/json',
    ],
    CURLOPT_POSTFIELDS => json_encode([
        'url' => 'https://hooks.example.com/parley',
        'eventTypes' => ['message.completed', 'turn.failed'],
    ]),
]);
$answer = json_decode(curl_exec($request), true);
echo $answer['data']['secret'], "\n";
